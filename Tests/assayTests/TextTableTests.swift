import Testing

@testable import assay

@Suite struct TextTableTests {
    @Test func columnsAreAsWideAsTheirWidestCell() {
        var table = TextTable([("NAME", .left), ("N", .right), ("NOTE", .left)])
        table.add(["a", "10", ""])
        table.add(["longer", "9", "x"])
        #expect(table.render() == "NAME     N  NOTE\na       10\nlonger   9  x\n")
    }

    @Test func noRowsIsTheHeading() {
        #expect(TextTable([("A", .left), ("B", .right)]).render() == "A  B\n")
    }

    @Test func charactersOfOneColumnAreCountedAsOne() {
        var table = TextTable([("A", .left), ("B", .left)])
        table.add(["e\u{301}é", "|"])
        #expect(table.render() == "A   B\ne\u{301}é  |\n")
    }

    @Test func controlCharactersDoNotReachTheTerminal() {
        var table = TextTable([("A", .left)])
        table.add(["x\u{1B}[2J\ny"])
        let text = table.render()
        #expect(!text.contains("\u{1B}") && text.split(separator: "\n").count == 2)
    }

    @Test(
        arguments: [
            (nil, "-"), (-1, "-"), (1e12, "-"), (.nan, "-"), (.infinity, "-"), (0, "0.0s"), (59.94, "59.9s"), (60, "1m0s"), (3599.9, "59m59s"),
            (3600, "1h0m"),
            (90_061, "25h1m"),
        ] as [(Double?, String)])
    func durations(seconds: Double?, text: String) {
        #expect(Figure.duration(seconds) == text)
    }

    @Test(arguments: [
        (0, 2, "0.00"), (1, 2, "1.00"), (0.005, 2, "0.01"), (-0.004, 2, "0.00"), (-1.5, 0, "-2"), (0.05, 1, "0.1"), (1234.5678, 3, "1234.568"),
        (.nan, 2, "-"), (-.infinity, 2, "-"), (1e14, 2, "100000000000000.0"),
    ])
    func fixedDecimals(value: Double, decimals: Int, text: String) {
        #expect(Figure.fixed(value, decimals) == text)
    }

    @Test func ratesAndRewards() {
        #expect(Figure.percent(nil) == "-" && Figure.percent(1) == "100.0%" && Figure.percent(0.6667) == "66.7%")
        #expect(Figure.reward(nil) == "-" && Figure.reward(0.5) == "0.50")
    }
}
