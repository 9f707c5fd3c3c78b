/** Thrown inside this package when something moved under our eyes: the caller looks a second time. */
export class Unsteady extends Error {
  readonly path: string;
  constructor(path: string) {
    super(`${path} changed`);
    this.path = path;
  }
}
