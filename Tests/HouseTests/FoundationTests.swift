import Testing

@Suite struct FoundationTests {
    /// It would add some 30 MB of tables to the executable: nothing in Sources imports it, nor a part of it. Tests may.
    @Test func noTargetImportsFoundation() throws {
        for (target, names) in try DirectionTests.imports() {
            let found = names.filter { $0.hasPrefix("Foundation") }
            #expect(found.isEmpty, "\(target) imports \(found.sorted().joined(separator: ", "))")
        }
    }
}
