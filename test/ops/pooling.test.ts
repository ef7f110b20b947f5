import { walk } from './walk.ts';

walk('pooling');
