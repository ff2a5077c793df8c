import Testing

@Suite struct FoundationTests {
    /// Foundation would add about 30 MB of tables to the executable, so no source imports it or a part of it. Tests may.
    @Test func noTargetImportsFoundation() throws {
        for (target, names) in try DirectionTests.imports() {
            let found = names.filter { $0.hasPrefix("Foundation") }
            #expect(found.isEmpty, "\(target) imports \(found.sorted().joined(separator: ", "))")
        }
    }
}
