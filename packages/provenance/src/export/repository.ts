/** The remote of a repository as URLs, in both its spellings: `https://host/path` and `user@host:path`. */

/** Its page on the web; nothing for one that is on this machine or spoken to in another way. */
export function webUrl(remote: string): string | undefined {
  const [, host, path] = /^(?:ssh:\/\/)?[^@/]+@([^:/]+)[:/](.+)$/.exec(remote) ?? [];
  const url = host === undefined ? remote : `https://${host}/${path}`;
  return URL.canParse(url) && /^https?:/.test(url) ? url.replace(/\.git$/, "") : undefined;
}

/** The remote as a URL that git takes: `git@host:owner/name` is none. */
export function gitUrl(remote: string): string {
  const [, user, host, path] = /^(?:([^@/]+)@)?([^:/]+):(?!\/\/)(.+)$/.exec(remote) ?? [];
  return host === undefined ? remote : `ssh://${user === undefined ? "" : `${user}@`}${host}/${path}`;
}
