/**
 * Which step run made and took which bytes: an index over the documents of the step runs, kept by SQLite itself, so
 * that no writer of step runs can forget it and what is rebuilt has it again.
 *
 * An artifact is its bytes in the place where they were made: `(digest, pipeline, maker, output)`, `maker` being a
 * step. Bytes from outside have a digest alone. Thus an input that was taken from a cached result is tied to every
 * execution of that step which made the same bytes, which is what a hit means. Values that no step made are params,
 * and not here.
 */
const rowsOf = (all: string): string => `
  SELECT new.id AS step_run, 'out' AS role, output.key AS port, '' AS item, output.value ->> '$.digest' AS digest,
         new.pipeline AS pipeline, new.step AS maker, output.key AS output
    FROM ${all && `${all}, `}json_each(new.document, '$.outputs') AS output
  UNION ALL
  SELECT new.id, 'target', new.document ->> '$.target.path', '', new.document ->> '$.target.digest',
         new.pipeline, new.step, '' ${all && `FROM ${all}`}
   WHERE new.document ->> '$.target.digest' IS NOT NULL
  UNION ALL
  SELECT new.id, 'in', input.key, '', input.value ->> '$.digest',
         coalesce(made.pipeline, iif(input.value ->> '$.from.step' IS NULL, '', new.pipeline)),
         coalesce(made.step, input.value ->> '$.from.step', ''), coalesce(input.value ->> '$.from.port', '')
    FROM ${all && `${all}, `}json_each(new.document, '$.inputs') AS input
    LEFT JOIN step_runs AS made ON made.id = input.value ->> '$.from.stepRun'
   WHERE input.value -> '$.items' IS NULL
     AND (input.value ->> '$.type' <> 'value' OR input.value ->> '$.from.step' IS NOT NULL)
  UNION ALL
  SELECT new.id, 'in', input.key, item.key, item.value ->> '$.digest', coalesce(made.pipeline, ''),
         coalesce(made.step, ''),
         coalesce((SELECT output.key FROM json_each(made.document, '$.outputs') AS output
                    WHERE output.value ->> '$.digest' = item.value ->> '$.digest' ORDER BY output.key LIMIT 1), '')
    FROM ${all && `${all}, `}json_each(new.document, '$.inputs') AS input, json_each(input.value, '$.items') AS item
    LEFT JOIN step_runs AS made ON made.id = item.value ->> '$.stepRun'
   WHERE item.value ->> '$.type' <> 'value' OR item.value ->> '$.stepRun' IS NOT NULL`;

/** @param all the step runs, called `new`; nothing inside of a trigger, where it is the one that was added */
const fill = (all = ""): string =>
  `INSERT OR REPLACE INTO lineage SELECT * FROM (${rowsOf(all)}) WHERE typeof(digest) = 'text'`;

/** All step runs that can be read. */
const known = "(SELECT * FROM step_runs WHERE json_valid(document)) AS new";

/** The migration that makes the index, and fills it from what is there. */
export const lineageTables = `
  CREATE TABLE lineage (
    step_run TEXT NOT NULL, role TEXT NOT NULL, port TEXT NOT NULL, item TEXT NOT NULL, digest TEXT NOT NULL,
    pipeline TEXT NOT NULL, maker TEXT NOT NULL, output TEXT NOT NULL, PRIMARY KEY (step_run, role, port, item)
  ) WITHOUT ROWID;
  CREATE INDEX lineage_by_artifact ON lineage (digest, role, pipeline, maker, output);
  CREATE INDEX lineage_from_outside ON lineage (digest) WHERE role = 'in' AND maker = '';
  CREATE TRIGGER lineage_added AFTER INSERT ON step_runs BEGIN ${fill()}; END;
  CREATE TRIGGER lineage_removed AFTER DELETE ON step_runs BEGIN
    DELETE FROM lineage WHERE step_run = old.id;
  END;
  ${fill(known)};`;

const links = "step_run, role, port, item, digest";
const told = `SELECT ${links} FROM (${rowsOf(known)}) WHERE typeof(digest) = 'text'`;

/** A step run whose lineage is not what its document says. Which step made an input may be known no longer: see `gc`. */
export const lineageDamage = `
  SELECT step_run FROM (SELECT * FROM (${told}) EXCEPT SELECT ${links} FROM lineage)
  UNION ALL SELECT step_run FROM (SELECT ${links} FROM lineage EXCEPT SELECT * FROM (${told})) LIMIT 1`;

/** Makes the lineage anew. */
export const lineageAnew: readonly string[] = ["DELETE FROM lineage", fill(known)];
