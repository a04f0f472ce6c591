#include "cli/command_line.hpp"

int main(int argc, char** argv) {
    return dyad::cli::run(argc, argv);
}
