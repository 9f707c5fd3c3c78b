import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Day } from "../../examples/weather/day.ts";
import { toVector } from "../../examples/weather/example.ts";
import { examplesOf, featuresOf, history } from "../../examples/weather/features.ts";

const weather = fc.record({
  precipitation: fc.constantFrom(0, 0, 0.3, 4.1, 20.3),
  temp_max: fc.integer({ min: -10, max: 35 }),
  temp_min: fc.integer({ min: -15, max: 20 }),
  wind: fc.integer({ min: 0, max: 10 }),
});
type Weather = Omit<Day, "date">;

function dated(days: readonly Weather[]): Day[] {
  return days.map((day, index) => ({
    date: new Date(Date.UTC(2012, 0, 1 + index)).toISOString().slice(0, 10),
    ...day,
  }));
}

describe("features of a day", () => {
  test("the day itself and all after it can change, and no feature does", () => {
    const seriesWithCut = fc
      .array(weather, { minLength: history + 1, maxLength: 40 })
      .chain((days) => fc.tuple(fc.constant(days), fc.integer({ min: history, max: days.length - 1 })));
    fc.assert(
      fc.property(
        seriesWithCut,
        fc.array(weather, { minLength: 40, maxLength: 40 }),
        ([days, cut], others) => {
          const changed = days.map((day, index) => (index < cut ? day : (others[index] ?? day)));
          const untilCut = (series: readonly Weather[]) =>
            [...examplesOf(dated(series))].slice(0, cut - history + 1).map(toVector);
          expect(untilCut(changed)).toEqual(untilCut(days));
        },
      ),
    );
  });

  test("what happened on the day is the target alone", () => {
    const dry: Weather = { precipitation: 0, temp_max: 10, temp_min: 5, wind: 2 };
    const days = dated([...Array.from({ length: history }, () => dry), { ...dry, precipitation: 0.3 }]);
    const [example] = examplesOf(days);
    expect(example).toMatchObject({
      date: "2012-01-15",
      rained: true,
      rain: 0,
      wetDays: 0,
      drySpell: history,
    });
  });

  test("they sum, count and compare the days before", () => {
    const rain = [0, 0, 0, 0, 0, 0, 9, 0, 0, 0.3, 0, 0.1, 0.2, 0];
    const days = dated(
      rain.map((precipitation, i) => ({ precipitation, temp_max: 10 + i, temp_min: 4, wind: i })),
    );
    expect(featuresOf("2012-01-15", days)).toEqual({
      rain: 0,
      rain3: 0.3,
      rain7: 0.6,
      wetDays: 3,
      drySpell: 1,
      tempMax: 23,
      tempMin: 4,
      tempRange: 19,
      tempMaxChange: 1,
      tempMinChange: 0,
      wind: 13,
      seasonSin: 0.2385,
      seasonCos: 0.9711,
    });
  });

  test("a day with too little past is refused", () => {
    expect(() => featuresOf("2012-01-02", [])).toThrow(
      "2012-01-02 needs 14 days before it, and there are 0.",
    );
  });
});
