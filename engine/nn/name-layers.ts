import type { Engine } from '../engine.ts';
import { Module } from './module.ts';

/** From here on every module of a network says its path while one of its methods works: forward, or others such as fused. */
export function nameLayers(engine: Engine, net: Module): void {
  for (const [path, module] of net.namedModules()) {
    for (const [name, method] of methodsOf(module)) {
      if (Object.hasOwn(module, name)) continue; // it does already
      const named = (...inputs: unknown[]) => {
        const outer = engine.at.layer;
        engine.at.layer = path;
        try {
          return method.apply(module, inputs);
        } finally {
          engine.at.layer = outer;
        }
      };
      Object.defineProperty(module, name, { value: named });
    }
  }
}

type Method = (...inputs: unknown[]) => unknown;

/** What a module's own classes define, without what every module has. */
function methodsOf(module: Module): Map<string, Method> {
  const methods = new Map<string, Method>();
  for (let type = Object.getPrototypeOf(module); type !== Module.prototype; type = Object.getPrototypeOf(type)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (typeof value === 'function' && name !== 'constructor' && !methods.has(name))
        methods.set(name, value as Method);
    }
  }
  return methods;
}
