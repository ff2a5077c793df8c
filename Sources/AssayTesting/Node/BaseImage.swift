import Base
import Subprocess

/// A small image made of this machine's programs, in the place of a public one that tests must not pull.
public enum BaseImage {
    /// Programs of the image; those that this machine lacks are left out.
    private static let programs = [
        "bash", "sh", "cat", "id", "sleep", "ls", "mkdir", "rm", "cp", "mv", "chmod", "chown", "stat", "dd", "true", "false", "env", "head", "tail",
        "tr",
        "cut", "sort", "wc", "date", "mkfifo", "touch", "ln", "readlink", "dirname", "basename", "tee", "kill", "ps", "timeout", "find", "xargs",
        "grep",
        "sed", "awk", "setsid", "sync", "du", "seq", "mktemp", "pwd", "uname", "whoami", "sha256sum",
    ]

    /// Writes the image as a tar file of its root.
    ///
    /// - Parameters:
    ///   - directory: an empty folder for the root.
    ///   - more: further programs, which this machine must have.
    ///   - files: further files, by path.
    public static func makeArchive(_ path: String, in directory: String, more: [String] = [], files: [String: String] = [:]) async throws {
        let script = """
            set -e
            cd "$1"
            chmod 755 .
            mkdir -p bin usr/bin etc tmp root var/tmp proc sys dev
            chmod 1777 tmp var/tmp
            for name in \((programs + more).joined(separator: " ")); do
                file=$(command -v "$name") || continue
                case $file in /*) ;; *) continue ;; esac
                cp -L "$file" "bin/$name"
                ldd "$file" 2>/dev/null | grep -o '/[^ )]*' | while read -r library; do
                    mkdir -p ".${library%/*}"
                    [ -e ".$library" ] || cp -L "$library" ".$library"
                done
            done
            cp bin/env usr/bin/env
            printf 'root:x:0:0::/root:/bin/bash\\nnobody:x:65534:65534::/:/bin/sh\\nworker:x:1234:1234::/tmp:/bin/sh\\n' > etc/passwd
            printf 'root:x:0:\\nnogroup:x:65534:\\nworker:x:1234:\\n' > etc/group
            """
        for (file, text) in files {
            try Directory.make("\(directory)/\(Path.parent(of: file))")
            try FileWriting.replace("\(directory)/\(file)", with: text.utf8, durable: false)
        }
        let result = try await Command("bash", ["-c", script, "base-image", directory], deadlineSeconds: 120).run()
        guard result.succeeded else { throw BaseImageError(message: result.stderrText) }
        let packed = try await Command("tar", ["-C", directory, "-c", "-f", path, "."], deadlineSeconds: 120).run()
        guard packed.succeeded else { throw BaseImageError(message: packed.stderrText) }
    }
}

struct BaseImageError: Error { let message: String }
