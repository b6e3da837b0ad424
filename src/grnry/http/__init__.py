"""What all endpoints share: the app, authentication, errors, paging, links, bodies, metrics."""
