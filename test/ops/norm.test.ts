import { walk } from './walk.ts';

walk('norm');
