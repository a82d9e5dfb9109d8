set(libraries_ctl PkgConfig::PQ PkgConfig::OPENSSL)
