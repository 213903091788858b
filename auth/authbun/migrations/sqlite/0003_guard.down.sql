DROP TABLE tenon_devices;
