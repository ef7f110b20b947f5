import { walk } from './walk.ts';

walk('shaping');
