DROP TABLE tenon_trusted_devices;
