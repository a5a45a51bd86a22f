/* Standard input by ReadFile, fgets and scanf, its end, and what kind of file it is. */
#include <windows.h>
#include <stdio.h>

int main(void)
{
    char line[32] = {0};
    DWORD count = 0, mode;
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    printf("console %d", GetConsoleMode(input, &mode));
    printf(" kind %lu\n", GetFileType(input));
    printf("read %d", ReadFile(input, line, 4, &count, NULL));
    printf(" %lu %.3s\n", count, line);
    printf("line %s", fgets(line, 32, stdin));
    int a = 0, b = 0;
    printf("numbers %d", scanf("%d %d", &a, &b));
    printf(" %d %d\n", a, b);
    int c, rest = 0;
    while ((c = getchar()) != EOF)
        rest += c == '\n';
    printf("rest %d end %d\n", rest, feof(stdin) != 0);
    printf("beyond %d", ReadFile(input, line, 4, &count, NULL));
    printf(" %lu\n", count);
    return 0;
}
