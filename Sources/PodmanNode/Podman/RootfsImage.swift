import Base
import Glibc

/// The image `rootfs:/`: an empty root with the host's programs and the settings of the host that hold no secrets, and nothing else.
///
/// The skeleton is a small directory that is made once. Every container mounts it and the host's `/usr` under overlays of its own, which are
/// removed with the container.
struct RootfsImage: Sendable {
    struct Root: Sendable, Hashable {
        var path: String
        /// Directories of the host that are mounted over the root.
        var overlays: [String]
    }

    var directory: String
    /// The root directory of the machine whose programs are used.
    var host = ""

    static let imageID = "rootfs:/"

    /// The entries of `/etc` that programs may need and that are not secret. Everything else is left out: passwords, keys, logins of registries
    /// and of git, sudo rules, the machine's identity, environment files.
    static let settings = [
        "passwd", "group", "nsswitch.conf", "host.conf", "gai.conf", "protocols", "services", "rpc", "networks", "ld.so.conf",
        "ld.so.conf.d", "ld.so.cache", "alternatives", "ssl/certs", "ssl/openssl.cnf", "ca-certificates.conf", "pki/tls/certs",
        "pki/ca-trust/extracted", "os-release", "debian_version", "redhat-release", "fedora-release", "lsb-release", "issue",
        "localtime", "timezone", "locale.conf", "locale.alias", "default/locale", "shells", "profile", "bash.bashrc", "bashrc",
        "inputrc", "terminfo", "mime.types", "magic", "fonts", "perl", "python3", "python3.11", "python3.12", "python3.13", "dpkg",
        "resolv.conf",
    ]

    /// A root in which the working directory exists; the runtime of a real node would create it.
    func skeleton(workingDirectory: String?) throws(FileError) -> Root {
        let extra = workingDirectory.flatMap { Self.isPlain($0) ? $0 : nil }
        let name = extra.map { "root-" + SHA256.hex(of: Array($0.utf8)).prefix(16) } ?? "root"
        let path = directory + "/" + name
        let overlays = overlays()
        if FileEntry.exists(path) { return Root(path: path, overlays: overlays) }
        let building = "\(path).building.\(getpid()).\(UInt32.random(in: 0 ... .max))"
        try build(building)
        if let extra { try Directory.make(building + extra, mode: 0o755) }
        // Another pod may have made the root in the meantime.
        if rename(building, path) != 0 { Directory.removeTree(building) }
        return Root(path: path, overlays: overlays)
    }

    /// Whether a path can be created in the skeleton. False below directories that show the host's own content, where nothing may be created.
    private static func isPlain(_ path: String) -> Bool {
        path.hasPrefix("/") && path != "/" && !path.split(separator: "/").contains("..")
            && !["usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32", "proc", "sys", "dev"].contains(
                path.split(separator: "/").first.map(String.init) ?? "")
    }

    private func overlays() -> [String] {
        ["/usr"] + ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"].filter { FileEntry.kind(host + $0) == .directory }
    }

    private func build(_ root: String) throws(FileError) {
        try Directory.make(root, mode: 0o755)
        for name in ["usr", "proc", "sys", "dev", "etc", "home", "run", "var", "opt", "srv", "mnt", "media"] {
            try Directory.make("\(root)/\(name)", mode: 0o755)
        }
        try Directory.make(root + "/root", mode: 0o700)
        for name in ["tmp", "var/tmp", "run/lock"] { try Directory.make("\(root)/\(name)", mode: 0o1777) }
        for name in ["var/cache", "var/lib", "var/log"] { try Directory.make("\(root)/\(name)", mode: 0o755) }
        symlink("/run", root + "/var/run")
        symlink("/run/lock", root + "/var/lock")
        for name in ["bin", "sbin", "lib", "lib64", "lib32", "libx32"] {
            switch FileEntry.kind("\(host)/\(name)") {
            case .link: if let target = FileEntry.linkTarget("\(host)/\(name)") { symlink(target, "\(root)/\(name)") }
            case .directory: try Directory.make("\(root)/\(name)", mode: 0o755)
            default: break
            }
        }
        for name in Self.settings { try copySettings(name, into: root + "/etc") }
        // Some tools fail when this file does not exist.
        if !FileEntry.exists(root + "/etc/resolv.conf") { try FileWriting.write([], to: root + "/etc/resolv.conf", mode: 0o644) }
        try FileWriting.write(Array("127.0.0.1\tlocalhost\n::1\tlocalhost\n".utf8), to: root + "/etc/hosts", mode: 0o644)
        try FileWriting.write([], to: root + "/etc/hostname", mode: 0o644)
    }

    private func copySettings(_ name: String, into etc: String) throws(FileError) {
        let source = "\(host)/etc/\(name)"
        guard FileEntry.kind(source) != nil else { return }
        if let slash = name.lastIndex(of: "/") { try Directory.make("\(etc)/\(name[..<slash])", mode: 0o755) }
        try copy(source, to: "\(etc)/\(name)", depth: 0)
    }

    /// Copies an entry. A link is kept when its target is visible in the container; otherwise its target is copied. Files that other users may
    /// not read are left out.
    private func copy(_ source: String, to target: String, depth: Int) throws(FileError) {
        guard depth < 12 else { return }
        var info = stat()
        switch FileEntry.kind(source) {
        case .link:
            guard let link = FileEntry.linkTarget(source) else { return }
            if link.hasPrefix("/usr/") || link.hasPrefix("/etc/alternatives/") || link.hasPrefix("/etc/ssl/certs/") || !link.contains("/")
                || link.hasPrefix("../usr/")
            {
                symlink(link, target)
            } else if stat(source, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_mode & 0o004 != 0,
                let real = realpath(source, nil)
            {
                defer { free(real) }
                if let bytes = FileReading.whole(String(cString: real), limit: 16 << 20) { try FileWriting.write(bytes, to: target, mode: 0o644) }
            }
        case .directory:
            guard stat(source, &info) == 0, info.st_mode & 0o005 == 0o005 else { return }
            try Directory.make(target, mode: 0o755)
            for name in (Directory.names(in: source) ?? []) where name != "private" {
                try copy("\(source)/\(name)", to: "\(target)/\(name)", depth: depth + 1)
            }
        case .file:
            guard stat(source, &info) == 0, info.st_mode & 0o004 != 0, let bytes = FileReading.whole(source, limit: 16 << 20) else { return }
            try FileWriting.write(bytes, to: target, mode: info.st_mode & 0o755)
        default: return
        }
    }
}
