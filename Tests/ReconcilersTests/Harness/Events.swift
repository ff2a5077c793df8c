import AssayTesting

/// Whether events with these reasons come.
func eventuallyEvents(_ world: World, _ reasons: Set<String>) async throws -> Bool {
    try await eventually { reasons.isSubset(of: try await world.events()) }
}
