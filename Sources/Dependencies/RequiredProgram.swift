import Base
import Subprocess

/// A program that Assay starts and does not come with.
public struct RequiredProgram: Sendable, Hashable {
    /// A name, or a path.
    public var name: String
    /// Other programs that do as well.
    public var alternatives: [String]
    /// Directories in which the program may be besides those of PATH.
    public var furtherDirectories: [String]
    /// What it is for, for people.
    public var purpose: String
    /// The oldest version that works, as numbers; nil: any.
    public var minimum: [Int]?
    /// The arguments that make it print its version.
    public var versionArguments: [String]
    /// The name of its package in the usual package managers; nil: the program's own.
    public var package: String?
    /// Whether `assay install` installs it.
    public var isInstallable: Bool

    public init(
        _ name: String, purpose: String, alternatives: [String] = [], furtherDirectories: [String] = [], minimum: [Int]? = nil,
        versionArguments: [String] = ["--version"], package: String? = nil, isInstallable: Bool = false
    ) {
        self.name = name
        self.alternatives = alternatives
        self.furtherDirectories = furtherDirectories
        self.purpose = purpose
        self.minimum = minimum
        self.versionArguments = versionArguments
        self.package = package
        self.isInstallable = isInstallable
    }

    /// How to get it, for a person at a shell.
    public var installHint: String {
        if isInstallable { return "assay install \(name), or put it on PATH by hand" }
        let package = package ?? name.pathComponents.last ?? name
        return "apt install \(package), brew install \(package), or \(name.contains("/") ? "name another path" : "put it on PATH by hand")"
    }
}

/// What is known about a program on this machine.
public struct ProgramStatus: Sendable, Hashable {
    public var program: RequiredProgram
    /// Nil: it is not on PATH.
    public var path: String?
    /// As it prints it, such as `2.39.5`; nil when it prints none.
    public var version: String?

    public init(program: RequiredProgram, path: String?, version: String?) {
        self.program = program
        self.path = path
        self.version = version
    }

    /// What is wrong, and what to do; nil when the program is fit for use.
    public var problem: String? {
        guard path != nil else {
            let others = program.alternatives.isEmpty ? "" : " (nor \(program.alternatives.joined(separator: ", ")))"
            return "\(program.name)\(others) is not installed; it is needed \(program.purpose). Install it with: \(program.installHint)"
        }
        guard let minimum = program.minimum, let version, Self.numbers(version).lexicographicallyPrecedes(minimum) else { return nil }
        let wanted = minimum.map(String.init).joined(separator: ".")
        return "\(program.name) is version \(version); \(wanted) or newer is needed \(program.purpose). Install it with: \(program.installHint)"
    }

    /// Looks for the program on PATH and asks for its version.
    public static func look(for program: RequiredProgram, path search: String? = nil) async -> ProgramStatus {
        let directories = ([search ?? currentEnvironment()["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"] + program.furtherDirectories).joined(
            separator: ":")
        let found = ([program.name] + program.alternatives).lazy.compactMap { ExecutableLookup.find($0, path: directories) }.first
        guard let path = found else { return ProgramStatus(program: program, path: nil, version: nil) }
        let result = try? await Command(path, program.versionArguments, deadlineSeconds: 20, outputLimit: 64 << 10).run()
        // ssh prints its version on standard error.
        let version = result.flatMap { Self.version(in: $0.stdoutText) ?? Self.version(in: $0.stderrText) }
        return ProgramStatus(program: program, path: path, version: version)
    }

    /// The first version number in a text: `2.39.5` of `git version 2.39.5`, `9.2p1` of `OpenSSH_9.2p1 Debian-2`.
    static func version(in text: String) -> String? {
        text.firstMatch(of: /(?:^|[^0-9.])v?([0-9]+\.[0-9][0-9A-Za-z.+~-]*)/).map { String($0.1) }
    }

    private static func numbers(_ version: String) -> [Int] {
        version.split(separator: ".").prefix(3).map { part in Int(part.prefix { $0.isNumber }) ?? 0 }
    }
}
