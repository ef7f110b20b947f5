import { walk } from './walk.ts';

walk('pointwise');
