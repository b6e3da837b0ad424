"""The expressions that read an event: a part of the Spring Expression Language."""
