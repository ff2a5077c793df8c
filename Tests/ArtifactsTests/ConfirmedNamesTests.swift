import Testing

@testable import Artifacts

@Suite("The names of records that the remote has")
struct ConfirmedNamesTests {
    @Test("only the newest are remembered; a name that is inserted again counts as new, and a removed one is forgotten")
    func bound() {
        var names = ConfirmedNames(limit: 100)
        for number in 0..<10_000 {
            names.insert(["r\(number)"])
            #expect(names.all.count <= 100)
            if number % 50 == 0 { names.insert(["often"]) }
        }
        #expect(names.all.count == 100)
        #expect(names.contains("r9999") && names.contains("r9902") && names.contains("often") && !names.contains("r9800"))
        names.remove(["r9999", "unknown"])
        #expect(!names.contains("r9999") && names.all.count == 99)
    }
}
