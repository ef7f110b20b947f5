import { walk } from './walk.ts';

walk('conv2d');
