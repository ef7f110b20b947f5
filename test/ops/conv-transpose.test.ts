import { walk } from './walk.ts';

walk('conv-transpose');
