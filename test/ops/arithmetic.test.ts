import { walk } from './walk.ts';

walk('arithmetic');
