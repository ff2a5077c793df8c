import Testing

@testable import assay

/// Words become options and positional arguments, or an error that says what to type instead.
@Suite struct ArgumentsTests {
    static let syntax = CommandSyntax(
        name: "try", summary: "For tests.",
        positionals: [.init(name: "FILE", help: "Needed."), .init(name: "OTHER", help: "Not needed.", required: false)],
        options: [
            .init(name: "count", value: "N", help: "A number."), .init(name: "rate", value: "R", help: "A rate."),
            .init(name: "label", value: "L", help: "Some.", repeats: true), .init(name: "quiet", value: nil, help: "A flag."),
        ])
    static let serving = CommandSyntax(
        name: "serve", summary: "For tests.",
        options: [.init(name: "at", value: "[PORT]", help: "Optional.", valueIsOptional: true), .init(name: "quiet", value: nil, help: "A flag.")])

    @Test func optionsStandAnywhereAndTakeTheirValueEitherWay() throws {
        let arguments = try Arguments(["--count", "3", "job.yaml", "--label=a=b", "--quiet", "--label", "", "more"], syntax: Self.syntax)
        #expect(arguments.positionals == ["job.yaml", "more"])
        #expect(arguments.value("count") == "3")
        #expect(arguments.all("label") == ["a=b", ""])
        #expect(arguments.flag("quiet") && arguments.has("quiet") && arguments.has("count"))
        #expect(arguments.value("rate") == nil && !arguments.has("rate") && arguments.all("rate") == [])
    }

    @Test func twoDashesEndTheOptionsAndOneDashIsAnArgument() throws {
        #expect(try Arguments(["-", "--", "--count"], syntax: Self.syntax).positionals == ["-", "--count"])
    }

    @Test(arguments: [
        ([], "FILE is missing"), (["a", "b", "c"], "unexpected argument \"c\""), (["a", "--nothing"], "unknown option --nothing"),
        (["a", "-q"], "unknown option -q"), (["a", "--quiet=yes"], "--quiet takes no value"), (["a", "--count"], "--count needs a value"),
        (["a", "--count", "1", "--count=2"], "--count was given twice"),
    ])
    func whatDoesNotFitIsNamed(words: [String], message: String) {
        let error = #expect(throws: UsageError.self) { try Arguments(words, syntax: Self.syntax) }
        #expect(error?.description == "\(message) (see: assay try --help)")
    }

    @Test func helpIsAskedForWhateverElseIsMissing() throws {
        #expect(try Arguments(["--help"], syntax: Self.syntax).wantsHelp)
        #expect(try Arguments(["a", "b", "c", "-h"], syntax: Self.syntax).wantsHelp)
        #expect(try !Arguments(["a", "--", "--help"], syntax: Self.syntax).wantsHelp)
    }

    @Test(
        arguments: [
            (["--at"], nil), (["--at", "--quiet"], nil), (["--at", "80"], "80"), (["--at=80"], "80"),
        ] as [([String], String?)])
    func aValueMayBeLeftOut(words: [String], value: String?) throws {
        let arguments = try Arguments(words, syntax: Self.serving)
        #expect(arguments.has("at") && arguments.value("at") == value)
    }

    @Test func numbersAreHeldToTheirRange() throws {
        let arguments = try Arguments(["a", "--count=7", "--rate=0.5"], syntax: Self.syntax)
        #expect(try arguments.integer("count", in: 1...7) == 7)
        #expect(try arguments.number("rate", in: 0...1) == 0.5)
        #expect(try arguments.integer("rest", in: 1...7) == nil)
        let large = #expect(throws: UsageError.self) { try arguments.integer("count", in: 1...6) }
        #expect(large?.description == "--count takes a whole number from 1 to 6, not \"7\"")
        let broken = #expect(throws: UsageError.self) { try arguments.integer("rate", in: 0...1) }
        #expect(broken?.description == "--rate takes a whole number from 0 to 1, not \"0.5\"")
    }

    @Test(arguments: ["x", "nan", "1.5", ""])
    func whatIsNoNumberInRangeIsRefused(text: String) throws {
        let arguments = try Arguments(["a", "--rate=\(text)"], syntax: Self.syntax)
        let error = #expect(throws: UsageError.self) { try arguments.number("rate", in: 0...1) }
        #expect(error?.description == "--rate takes a number from 0.0 to 1.0, not \"\(text)\"")
    }
}
