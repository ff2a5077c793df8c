import Base
import Glibc

/// `--log-level` and `--log-format`, the same for every command that logs.
enum LogOptions {
    static let options = [
        CommandSyntax.Option(name: "log-level", value: "LEVEL", help: "debug, info, warning or error."),
        CommandSyntax.Option(name: "log-format", value: "FORMAT", help: "json or text; text on a terminal, else json."),
    ]

    static func apply(_ arguments: Arguments, standard: Log.Level = .info) throws(UsageError) {
        var level = standard
        if let name = arguments.value("log-level") {
            guard let known = Log.Level.allCases.first(where: { $0.name == name }) else {
                throw UsageError("--log-level takes debug, info, warning or error, not \"\(name)\"")
            }
            level = known
        }
        let format: Log.Format =
            switch arguments.value("log-format") {
            case nil: isatty(2) == 1 ? .text : .json
            case "json": .json
            case "text": .text
            case let other?: throw UsageError("--log-format takes json or text, not \"\(other)\"")
            }
        Log.bootstrap(.standardError(minimum: level, format: format))
    }
}
