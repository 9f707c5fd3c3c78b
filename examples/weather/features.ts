import type { Day } from "./day.ts";
import type { Example, Features } from "./example.ts";

/** How many days before a day its features look at. */
export const history = 14;

/**
 * The features of a date, from the days before it. The day itself is not among the arguments, so
 * what is to be predicted cannot leak in.
 *
 * @param before at least `history` days, the last of them the day before the date
 */
export function featuresOf(date: string, before: readonly Day[]): Features {
  const days = before.slice(-history);
  const [previous, last] = days.slice(-2);
  if (days.length < history || previous === undefined || last === undefined) {
    throw new Error(`${date} needs ${history} days before it, and there are ${days.length}.`);
  }
  const rains = days.map((day) => day.precipitation);
  const lastWet = days.findLastIndex(isWet);
  const season = 2 * Math.PI * yearFraction(date);
  return {
    rain: last.precipitation,
    rain3: sum(rains.slice(-3)),
    rain7: sum(rains.slice(-7)),
    wetDays: days.slice(-7).filter(isWet).length,
    drySpell: days.length - 1 - lastWet,
    tempMax: last.temp_max,
    tempMin: last.temp_min,
    tempRange: round(last.temp_max - last.temp_min),
    tempMaxChange: round(last.temp_max - previous.temp_max),
    tempMinChange: round(last.temp_min - previous.temp_min),
    wind: last.wind,
    seasonSin: round(Math.sin(season)),
    seasonCos: round(Math.cos(season)),
  };
}

/** An example for each day that has enough days before it. */
export function* examplesOf(days: readonly Day[]): Generator<Example> {
  for (const [index, day] of days.entries()) {
    if (index < history) continue;
    yield { date: day.date, ...featuresOf(day.date, days.slice(0, index)), rained: isWet(day) };
  }
}

/** Rain that a gauge can measure: the smallest amount in the data is 0.3 mm, a hundredth of an inch. */
function isWet(day: Day): boolean {
  return day.precipitation > 0;
}

/** How much of the year is over, from 0 to 1. */
function yearFraction(date: string): number {
  return (Date.parse(date) - Date.parse(`${date.slice(0, 4)}-01-01`)) / (365.25 * 24 * 60 * 60 * 1000);
}

function sum(numbers: readonly number[]): number {
  return round(numbers.reduce((total, number) => total + number, 0));
}

/** Four decimals: enough for weather, and 0.1 + 0.2 reads as 0.3. */
function round(number: number): number {
  return Math.round(number * 10_000) / 10_000;
}
