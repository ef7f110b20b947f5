import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtCli } from './cli.ts';

const cli = builtCli();
const site = join(cli.dist, 'dist-web');
// Its own package.json makes the build a project of its own, whose site is ours to make.
beforeAll(() => {
  writeFileSync(join(cli.dist, 'package.json'), '{"type":"module","version":"0.0.0"}');
  mkdirSync(site);
  writeFileSync(join(site, 'index.html'), 'the laboratory');
});

describe('subpixel learn', () => {
  it('serves the built site to this machine until it is interrupted', async () => {
    const child = cli.start('learn', '--port', '0', '--no-open');
    const address = await new Promise<string>((resolve) => {
      child.stdout?.once('data', (text) => resolve(String(text).trim()));
    });
    expect(address).toMatch(/^http:\/\/localhost:\d+\/$/);
    const answer = await fetch(address.replace('localhost', '127.0.0.1'));
    expect(await answer.text()).toBe('the laboratory');
    expect(answer.headers.get('content-type')).toMatch('text/html');
    expect((await fetch(new URL('nothing.js', address.replace('localhost', '127.0.0.1')))).status).toBe(404);
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(130);
  });

  it('says so when its port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await cli.run('learn', '--port', String(port), '--no-open');
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} is taken: --port names another, 0 any`);
  });

  it('says how to build the site when it is not', async () => {
    rmSync(site, { recursive: true });
    const { code, stderr } = await cli.run('learn', '--no-open');
    expect(code).toBe(2);
    expect(stderr).toContain(`the laboratory is not built: "npm run build:web" does it, into ${site}`);
  });
});
