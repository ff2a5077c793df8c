import Base
import EvalModel
import Testing

@Suite("index sets")
struct IndexSetTests {
    @Test(
        "written compactly and read back",
        arguments: [
            ([], ""), ([5], "5"), ([0, 1], "0-1"), (Array(0...41) + [43], "0-41,43"), ([9, 3, 5, 4, 3], "3-5,9"),
            ([0, 2, 4], "0,2,4"), ([2, 0, 1], "0-2"),
        ] as [([Int], String)])
    func codec(indexes: [Int], text: String) throws {
        let set = TrialIndexSet(indexes)
        #expect(set.description == text)
        #expect(try TrialIndexSet(parsing: text) == set)
        #expect(Array(set) == Set(indexes).sorted())
        #expect(set.count == Set(indexes).count)
        #expect(set.first == indexes.min())
        #expect(set.last == indexes.max())
    }

    @Test(
        "what was not written by us is refused",
        arguments: [
            ",", "1,", ",1", "1-", "-1", "1--2", "2-1", "1-1", "3,1", "1,1", "1,2", "0-3,4", "0-3,2", "01", "1 ", "a", "1-2-3", "0x1", "+1",
            "99999999999999999999", "１",
        ])
    func refused(text: String) {
        #expect(throws: TrialIndexSetError.self) { try TrialIndexSet(parsing: text) }
    }

    @Test("behaves like a set of integers under random operations", arguments: 0..<20)
    func model(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed) + 1)
        var set = TrialIndexSet()
        var model = Set<Int>()
        for _ in 0..<400 {
            let index = Int.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: #expect(set.remove(index) == (model.remove(index) != nil))
            case 1:
                let range = index...(index + Int.random(in: 0..<5, using: &random))
                set.insert(range)
                model.formUnion(range)
            default: #expect(set.insert(index) == model.insert(index).inserted)
            }
            #expect(Array(set) == model.sorted())
            #expect(set.contains(index) == model.contains(index))
            #expect(set.firstMissing(from: index, below: 70) == (index..<70).first { !model.contains($0) })
            #expect(set.ranges.indices.dropFirst().allSatisfy { set.ranges[$0].lowerBound > set.ranges[$0 - 1].upperBound + 1 })
        }
        let other = TrialIndexSet([1, 2, 50, 61])
        #expect(Set(set.union(other)) == model.union([1, 2, 50, 61]))
        #expect(try TrialIndexSet(parsing: set.description) == set)
    }

    @Test("a hundred thousand indexes in order stay one range")
    func large() {
        var set = TrialIndexSet()
        for index in 0..<100_000 { set.insert(index) }
        #expect(set.description == "0-99999")
    }

    @Test("the ends of the numbers do not overflow")
    func ends() {
        var set = TrialIndexSet([.min, .max])
        set.insert(.max - 1)
        #expect(set.contains(.min) && set.contains(.max) && set.count == 3)
    }
}
