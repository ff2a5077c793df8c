// ReconcilersTests
