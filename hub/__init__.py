"""Points Hub's core: what points are and how they move. It knows neither GraphQL nor any partner's system."""

__version__ = "0.1.0"
