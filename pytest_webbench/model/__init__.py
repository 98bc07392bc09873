"""The data model: frozen values, and the protocols; no IO."""
