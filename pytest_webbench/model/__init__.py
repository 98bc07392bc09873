"""The nouns: frozen values, and the protocols; no IO."""
