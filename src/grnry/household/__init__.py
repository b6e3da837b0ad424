"""The household of one machine: the data folder and the processes that `grnry up` owns."""
