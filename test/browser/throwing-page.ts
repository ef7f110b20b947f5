export default async function fail(): Promise<never> {
  throw new Error('thrown in the page');
}
