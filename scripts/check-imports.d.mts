/** @returns one sentence for each breach of the import rules in the project under `root` */
export function findBreaches(root: string): Promise<string[]>;
