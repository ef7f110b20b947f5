import { walk } from './walk.ts';

walk('conv3d');
