import { walk } from './walk.ts';

walk('reducing');
