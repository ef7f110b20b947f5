import { walk } from './walk.ts';

walk('video');
