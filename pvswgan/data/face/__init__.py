"""How a toyface is painted: model (place, light, colour), features, hair; paint puts them together."""
