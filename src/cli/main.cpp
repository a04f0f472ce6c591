#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/log.hpp"
#include "cli/start_server.hpp"

int main(int argc, char** argv) {
    dyad::server::Settings settings;
    settings.user_id = "local";
    settings.data_dir = "/tmp/dyad-memory";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string flag = argv[i];
        if (flag == "--port") settings.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        if (flag == "--data-dir") settings.data_dir = argv[i + 1];
        if (flag == "--user") settings.user_id = argv[i + 1];
        if (flag == "--host") settings.host = argv[i + 1];
    }
    auto server = dyad::cli::start_server(settings);
    if (!server) {
        std::fprintf(stderr, "dyad-memory: %s\n", server.error().to_string().c_str());
        return 1;
    }
    (*server)->run();
    return 0;
}
