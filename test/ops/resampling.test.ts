import { walk } from './walk.ts';

walk('resampling');
