import { walk } from './walk.ts';

walk('resize-tf1');
