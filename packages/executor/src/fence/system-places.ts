/** The places that programs need whoever starts them: the system's own, and devices. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Programs, libraries and what the kernel tells. What a system keeps for its users is not among them. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sys"];

/** Where distributions without a common `/usr` keep theirs, and the answers of a resolver. */
const elsewhere = [
  "/nix/store",
  "/gnu/store",
  "/run/current-system",
  "/etc/resolv.conf",
  "/opt/homebrew",
  "/home/linuxbrew/.linuxbrew",
  "/System/Library",
  "/Library/Frameworks",
];

/** Keys and passwords of the machine: readable to a superuser, and the business of no step. */
const secrets = new Set(
  "shadow shadow- gshadow gshadow- sudoers sudoers.d ssh krb5.keytab private opasswd security wireguard".split(
    " ",
  ),
);

const devices =
  /^(?:null|zero|full|random|urandom|tty|ptmx|pts|shm|fd|std(?:in|out|err)|nvidia.*|dri|kfd|accel.*)$/;

/** What every program may read. */
export function systemPlaces(): readonly string[] {
  return [
    ...systemFolders,
    ...elsewhere,
    ...entriesOf("/etc", isConfiguration),
    ...entriesOf("/etc/ssl", isConfiguration),
  ];
}

/** Devices that hold nothing of anybody: no disks. */
export function devicePlaces(): readonly string[] {
  return entriesOf("/dev", (name) => devices.test(name));
}

function isConfiguration(name: string): boolean {
  return name !== "ssl" && !secrets.has(name);
}

function entriesOf(folder: string, isWanted: (name: string) => boolean): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(isWanted)
    .map((name) => join(folder, name));
}
