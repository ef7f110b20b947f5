import { walk } from './walk.ts';

walk('fused-conv');
