import type { JSX } from 'preact';
import { Slider } from '../../lab/ui.tsx';
import { WINDOW } from './run.ts';

interface FrameSliderProps {
  readonly value: number;
  readonly onChange: (frame: number) => void;
}

/** Which of the frames that the network sees at once is shown. */
export const FrameSlider = ({ value, onChange }: FrameSliderProps): JSX.Element => (
  <Slider
    label="Frame"
    value={value}
    min={0}
    max={WINDOW - 1}
    show={(t) => `${t + 1} of ${WINDOW}`}
    onChange={onChange}
  />
);
