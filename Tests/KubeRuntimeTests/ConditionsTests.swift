import Base
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Conditions")
struct ConditionsTests {
    let t0 = Timestamp(seconds: 100)
    let t1 = Timestamp(seconds: 200)

    @Test("the transition time changes only with the status")
    func transition() {
        var conditions = Conditions()
        #expect(conditions.set("Ready", .no, reason: "Starting", observedGeneration: 1, now: t0) == true)
        #expect(conditions.set("Ready", .no, reason: "Syncing", message: "m", observedGeneration: 2, now: t1) == true)
        #expect(conditions["Ready"]?.lastTransitionTime == t0)
        #expect(conditions["Ready"]?.reason == "Syncing")
        #expect(conditions.set("Ready", .yes, reason: "Done", observedGeneration: 2, now: t1) == true)
        #expect(conditions["Ready"]?.lastTransitionTime == t1)
        #expect(conditions.isTrue("Ready"))
    }

    @Test("setting the same values again changes nothing, so no status is written")
    func same() {
        var conditions = Conditions()
        conditions.set("Ready", .yes, reason: "Done", now: t0)
        let before = conditions
        #expect(conditions.set("Ready", .yes, reason: "Done", now: t1) == false)
        #expect(conditions == before)
    }

    @Test("a condition of negative polarity is present only while it is true")
    func negative() {
        var conditions = Conditions([Condition(type: "Ready", status: .yes)])
        #expect(conditions.setNegative("Stalled", false, reason: "x", now: t0) == false)
        #expect(conditions.setNegative("Stalled", true, reason: "BadRef", now: t0) == true)
        #expect(conditions.isTrue("Stalled"))
        #expect(conditions.setNegative("Stalled", false, reason: "x", now: t1) == true)
        #expect(conditions.all.map(\.type) == ["Ready"])
    }

    @Test("conditions keep the order of their first appearance, and conditions of others stay")
    func order() {
        var conditions = Conditions([Condition(type: "Theirs", status: "Maybe")])
        conditions.set("B", .yes, reason: "r", now: t0)
        conditions.set("A", .yes, reason: "r", now: t0)
        conditions.set("B", .no, reason: "r", now: t1)
        #expect(conditions.all.map(\.type) == ["Theirs", "B", "A"])
        #expect(conditions.remove("B") == true)
        #expect(conditions.remove("B") == false)
    }
}
