/* A list that leads nowhere: who has written the pointer? */
#include <stdlib.h>

struct node {
    struct node *next;
    int value;
};

__attribute__((noinline)) int last(struct node *node) {
    while (node->value) node = node->next;
    return node->value;
}

__attribute__((noinline)) void spoil(struct node *node) { node->next = (void *)16; }

int main(void) {
    struct node *node = malloc(sizeof *node);
    node->value = 1;
    spoil(node);
    return last(node);
}
