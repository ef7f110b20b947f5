import { walk } from './walk.ts';

walk('lstm');
