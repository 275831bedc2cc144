"""Building: reads inputs, embeds, learns, and publishes generations."""
