"""Consumer groups as steps: values and a time go in, effects come out."""
